"""`python -m hiresldm`: the command line, as torchrun and systems without scripts start it."""

from hiresldm.cli.main import main

if __name__ == "__main__":
    main()
