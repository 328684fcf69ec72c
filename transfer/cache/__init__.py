"""What can be made again: pixels, features and digests, kept between runs in the user's folder."""
