"""Knows what can be typed in `actorchat chat`. Must not know terminals or sign-in."""
