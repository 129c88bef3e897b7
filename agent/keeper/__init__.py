"""Decides when a wallet's runs go on and begin, tick by tick."""
