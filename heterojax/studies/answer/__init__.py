"""The answer of a study: what was measured, what it says, what to do now.

records     `results.json`: `verdict`
measure     the three questions, asked of the folds of a study
conditions  what an answer rests on: pass, warn or fail
answer      yes, no sign, too little data, or cannot be answered
"""
