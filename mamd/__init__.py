"""mamd brings shared iPhones and iPads back to work when they return to a Launchpad locked."""

__version__ = "0.1.0"
