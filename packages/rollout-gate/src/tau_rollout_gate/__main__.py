"""`python -m tau_rollout_gate` is the command `tau-rollout-gate`."""

from tau_rollout_gate.cli.main import main

if __name__ == "__main__":
    main()
