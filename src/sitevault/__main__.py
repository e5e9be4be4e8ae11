"""`python -m sitevault` is the command `sitevault`."""

from sitevault.cli.main import main

if __name__ == "__main__":
    main()
