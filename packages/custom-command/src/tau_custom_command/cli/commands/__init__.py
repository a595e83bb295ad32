"""The commands, a module each; `cli` has what is around them."""
