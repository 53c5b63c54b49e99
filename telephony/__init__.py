"""A phone line with a mind at the other end."""

__version__ = "0.1.0"
