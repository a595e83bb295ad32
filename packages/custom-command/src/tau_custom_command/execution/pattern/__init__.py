"""Looks for regular expressions in processes of their own: the search, and what each runs."""
