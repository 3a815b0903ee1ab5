"""Hypothetical hosts: building blocks on a net, put together by pormake [1].

References:
    [1] Lee, Kim, Cho, Zimmermann, Haranczyk, Kim, ACS Appl. Mater. Interfaces 13 (2021) 23647.
"""
