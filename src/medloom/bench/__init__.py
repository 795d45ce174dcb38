"""Which model should I use on medical text, and is the difference real?"""
