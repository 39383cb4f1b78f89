"""A plan from its goal to the proven pruned model: the use cases of planning, kept on disk.

`Goal` (goal.py) says what is asked, `Removal` (removal.py) what goes as one; solving.py
makes a `SolvedPlan` of them; `SavedPlan` (saved_plan.py) is a version of it with a note and
all its verifications; verifying.py runs it, applying.py writes the pruned model;
`ProjectPlans` (project_plans.py) is what all doors call for the plans of a project.
"""
