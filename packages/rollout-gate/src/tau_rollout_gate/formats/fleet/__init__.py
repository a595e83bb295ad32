"""How a fleet is shown: its cohort, its hosts, and what stands in its way."""
