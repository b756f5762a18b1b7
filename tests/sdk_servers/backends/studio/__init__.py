"""Generated images with a converter of its own, partial images, and annotations."""
