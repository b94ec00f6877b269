"""Degradations by name: noise, blur, compression and reduction."""
