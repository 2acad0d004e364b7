"""Does the person in front of us hold this phone number?"""
