# Asks for DHCP servers on an interface, and prints every answer: address, hardware address or "-", datagram in hexadecimal.
import select
import socket
import struct
import sys
import time

family, name, question, patience = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]), float(sys.argv[4])
four = family == "v4"
own_port, port = (68, 67) if four else (546, 547)
number = slice(4, 8) if four else slice(1, 4)
kind = 0x0800 if four else 0x86DD
EVERYTHING, BIND_TO_DEVICE, ADDRESS_IN_USE = 3, 25, 98
MOST = 256

# Hears what comes in whatever a firewall, a filter of return paths or another client on the port makes of it.
tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERYTHING))
tap.bind((name, EVERYTHING))
# Asks as a client does, so that a server on this very machine hears it too, and hears such a server's answer, which the tap may not.
ask = socket.socket(socket.AF_INET if four else socket.AF_INET6, socket.SOCK_DGRAM)
ask.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
ask.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
ask.setsockopt(socket.SOL_SOCKET, BIND_TO_DEVICE, name.encode() + b"\0")
try:
    ask.bind(("", own_port))
except OSError as error:
    # Another client keeps the port for itself: servers answer to it all the same, and the tap hears it.
    if error.errno != ADDRESS_IN_USE:
        raise
server = ("255.255.255.255", port) if four else ("ff02::1:2", port, 0, socket.if_nametoindex(name))


def of_packet(packet):
    """Sender and datagram of a packet to the client's port."""
    if four:
        start = (packet[0] & 15) * 4
        if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP:
            return None
        sender = socket.inet_ntop(socket.AF_INET, packet[12:16])
    else:
        start = 40
        if packet[0] >> 4 != 6 or packet[6] != socket.IPPROTO_UDP:
            return None
        sender = socket.inet_ntop(socket.AF_INET6, packet[8:24])
    to_port, length = struct.unpack("!2xHH", packet[start : start + 6])
    return (sender, packet[start + 8 : start + length]) if to_port == own_port else None


def listen(end):
    """Prints what is heard until then."""
    global heard
    while heard < MOST:
        left = end - time.monotonic()
        if left <= 0:
            return
        for source in select.select([tap, ask], [], [], left)[0]:
            data, origin = source.recvfrom(65535)
            mac = "-"
            if source is tap:
                if origin[1] != kind:
                    continue
                mac = ":".join("%02x" % byte for byte in origin[4]) or "-"
                try:
                    found = of_packet(data)
                except (IndexError, ValueError, struct.error):
                    continue
            else:
                found = (origin[0], data)
            if found and found[1][number] == question[number]:
                print(found[0], mac, found[1].hex())
                heard += 1


heard = 0
start = time.monotonic()
# The first may be lost, and a server may look for seconds whether an address is free before it offers it.
for part in (1 / 6, 1 / 3, 1):
    ask.sendto(question, server)
    listen(start + patience * part)
