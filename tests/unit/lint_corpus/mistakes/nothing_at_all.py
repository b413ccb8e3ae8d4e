# expect: JH401
