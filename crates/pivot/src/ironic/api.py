# Asks Ironic's API for its version, by HTTP or HTTPS, and prints how it answered.
import socket
import sys

address, port = sys.argv[1], int(sys.argv[2])


def status(wrapped):
    """The status of an answer; None where there is none."""
    try:
        with wrapped(socket.create_connection((address, port), 5)) as connection:
            connection.settimeout(5)
            connection.sendall(b"GET /v1 HTTP/1.0\r\nHost: ironic\r\n\r\n")
            words = connection.makefile("rb").readline(200).split()
    except OSError:
        return None
    is_answer = len(words) > 1 and words[0].startswith(b"HTTP/") and words[1].isdigit()
    return int(words[1]) if is_answer else None


def encrypted(connection):
    # Whose certificate it is does not matter: nothing is told.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


name, answer = "http", status(lambda connection: connection)
# To who speaks plainly, a server that does not may say so.
if answer in (None, 400):
    try:
        import ssl
    except ImportError:
        pass
    else:
        other = status(encrypted)
        if other is not None:
            name, answer = "https", other
if answer is not None:
    print(name, answer)
