"""``python -m envscaler_gym``: the command line."""

from envscaler_gym.cli import main

if __name__ == "__main__":
    main()
