"""What a command may do. Pure: it imports only the modules beside the rooms."""
