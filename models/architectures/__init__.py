"""The kinds of networks that models are made of."""
