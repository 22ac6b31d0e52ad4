"""Sends each UDP datagram back that comes to port 7007 of the addresses it is told. For the tests of this folder."""
import select, socket, sys
sockets = []
for address in sys.argv[1:]:
    one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((address, 7007))
    sockets.append(one)
while True:
    for one in select.select(sockets, [], [])[0]:
        data, peer = one.recvfrom(65535)
        one.sendto(data, peer)
