"""What depth is worth its cost, on the user's own pictures and machine?"""
