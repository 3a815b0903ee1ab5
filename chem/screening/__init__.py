"""Where a budget of labels goes when it is the ranking of hosts that matters.

Pure functions on arrays: what is believed of every host (`prior`, `posterior`), who gets the next
lot (`choice`, `decay`), how sure the top k is (`top`), several criteria as one (`fusion`,
`objectives`). docs/screening.md tells the whole story.

References:
    [1] Thompson, Biometrika 25 (1933) 285.
    [2] Russo, Oper. Res. 68 (2020) 1625: top-two sampling.
    [3] Cormack, Clarke, Buettcher, SIGIR 2009, 758: reciprocal-rank fusion.
    [4] Efron, Morris, J. Am. Stat. Assoc. 68 (1973) 117: empirical Bayes.
"""
