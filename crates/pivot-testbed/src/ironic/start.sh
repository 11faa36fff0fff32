# The container `ironic`: Ironic all in one, with an empty database, as after every start of a pod.
set -e
home="$IRONIC_DATA/$HOSTNAME"
mkdir -p "$home/http" "$home/tftp" "$home/locks"
cat > "$home/ironic.conf" <<END
[DEFAULT]
host = $HOSTNAME
state_path = $home
auth_strategy = noauth
rpc_transport = none
enabled_hardware_types = redfish
enabled_boot_interfaces = redfish-virtual-media,ipxe
enabled_network_interfaces = noop
enabled_bios_interfaces = redfish,no-bios
enabled_firmware_interfaces = redfish,no-firmware
enabled_inspect_interfaces = agent,no-inspect
enabled_management_interfaces = redfish
enabled_power_interfaces = redfish
enabled_raid_interfaces = redfish,no-raid
enabled_vendor_interfaces = redfish,no-vendor
[api]
host_ip = 0.0.0.0
port = 6385
[conductor]
automated_clean = false
[database]
connection = sqlite:///$home/$IRONIC_DATABASE
[deploy]
http_root = $home/http
[pxe]
tftp_root = $home/tftp
[dhcp]
dhcp_provider = none
[oslo_concurrency]
lock_path = $home/locks
END
# A container that is started again in the same pod goes on with what it has.
if [ ! -e "$home/schema" ]; then
  "$IRONIC_PROGRAMS/ironic-dbsync" --config-file "$home/ironic.conf" create_schema
  # baremetal-operator 0.6.0 ends where firmware was never updated: it does not expect `null`.
  "$IRONIC_PROGRAMS/python" -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript("""
    CREATE TRIGGER updated_at AFTER INSERT ON firmware_information WHEN NEW.updated_at IS NULL
    BEGIN UPDATE firmware_information SET updated_at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;""")' "$home/$IRONIC_DATABASE"
  : > "$home/schema"
fi
# As keepalived does it: whoever knew another owner of the address hears of the new one.
echo 1 > "/proc/sys/net/ipv4/conf/$PROVISIONING_INTERFACE/arp_notify"
ip address replace "$PROVISIONING_IP/$PROVISIONING_CIDR" dev "$PROVISIONING_INTERFACE"
exec "$IRONIC_PROGRAMS/ironic" --config-file "$home/ironic.conf"
