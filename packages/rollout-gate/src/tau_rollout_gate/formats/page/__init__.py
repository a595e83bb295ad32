"""The page of `report`: a template, and what it shows. It may import the other formats."""
