"""`python -m tau_transport_health` is the command `tau-transport-health`."""

from tau_transport_health.cli.main import main

if __name__ == "__main__":
    main()
