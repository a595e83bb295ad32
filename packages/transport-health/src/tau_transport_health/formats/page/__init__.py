"""The HTML page of `report`: one file that needs nothing else. A part of the room `formats`."""
