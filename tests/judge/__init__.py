"""Tests of judge: every number has a second source."""
