"""The answer of a study: what was measured, what it says, what to do now.

records     `results.json`: `verdict`
measure     the three questions, asked of the folds of a study; `stage` asks
            or finds them asked, `measured` makes records of them
unmeasured  which questions have no p-value, before and after they are asked
facts       what an answer needs to know of a study, whichever it is
skill       whether the head of all images has learned enough to be asked
conditions  what an answer rests on: pass, warn or fail
answer      yes, no sign, too little data, or cannot be answered
sentences   the answer in words; `statements` those of each question, `advice`
            what to do now, `terminal` the last lines of a run
"""
