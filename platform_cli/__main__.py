"""`python -m platform_cli` is `mlops`: for kubeconfigs, which name the Python that has it rather than trust PATH."""

from platform_cli.cli.start import main

if __name__ == "__main__":
    main()
