"""What commands print of what they found: text for people, and the values that become JSON."""
