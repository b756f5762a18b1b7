"""`chatkit-server run | check | migrate`."""
