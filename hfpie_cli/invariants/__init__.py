"""Guarantees for every restored photograph, whatever the network: grey stays grey, brightness and range are kept."""
