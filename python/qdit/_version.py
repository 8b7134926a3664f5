"""The version, in one place: read by the build and by `qdit.__version__`.

csrc/capi/qdit.h says it again, for C; libqdit does not compile where the two differ.
"""

__version__ = "0.1.0"
