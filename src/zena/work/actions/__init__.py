"""What people do with projects and tasks: one function per verb, called by pages, API, jobs and commands alike.

Each fetches through policy.py (which authorizes and locks), checks, changes, counts, and records what happened.
"""
