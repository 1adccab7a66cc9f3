"""The one door to Lightning's insides: every private name of it is used here."""
