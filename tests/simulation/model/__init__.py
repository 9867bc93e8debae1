"""A prepaid billing system as its documentation describes it, independent of how it is built."""

from simulation.model.account import Model

__all__ = ["Model"]
