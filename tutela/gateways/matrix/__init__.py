"""Matrix: attachments of a homeserver's rooms, encrypted ones too."""
