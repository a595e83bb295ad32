"""What a RUN wrote, held against what its fixture expects, and what is taken of it. Pure."""
