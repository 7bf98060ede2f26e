"""`python -m cds.cli` is `trial-cds`."""

from cds.cli import main

main()
