"""A year of automatic recharge, played through the real services on a clock of its own."""
