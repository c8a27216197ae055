from incseg.apis.teach.teach import TeachResult, teach

__all__ = ['TeachResult', 'teach']
