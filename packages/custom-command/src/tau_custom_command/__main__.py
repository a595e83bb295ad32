"""`python -m tau_custom_command` is the command `tau-custom-command`."""

from tau_custom_command.cli.main import main

if __name__ == "__main__":
    main()
