"""A process of tests, as whoever starts it sees it: what it does is done by one that is forked. See `forked_run`."""

import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    socket.send_fds(connection, [sys.argv[-1].encode()], [0, 1, 2])
    answer = connection.recv(1)
os._exit(answer[0] if answer else 1)
