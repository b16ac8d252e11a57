"""The figures of docs/measurements.md, measured on the machine that runs this: `make bench`."""
