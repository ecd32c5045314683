"""A page of the demonstration on which one drops a picture and sees its verdict, with the region that matches.

It is a process of its own on a loopback address, no part of the service: the service has no such page. It sends what is
dropped to the service as a platform does, with an API key that the browser never sees.
"""
