"""Notices: who is to be told what of an incident, written beside what happened and kept until it is sent."""
