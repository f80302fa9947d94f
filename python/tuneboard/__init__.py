"""tuneboard: launch, watch, compare and remember fine-tuning runs without leaving the terminal.

The package carries two executables and nothing to import: `tuneboard` is on PATH, `bin/tuneboard-train` lies here,
because it loads the libtorch of the `torch` package beside it.
"""
