#!/usr/bin/python3
"""Looks at the S3 server of a test with another client than ours: _s3.py URL ACCESS-KEY SECRET CA|- make|list BUCKET"""
import sys
import boto3
from botocore.config import Config

url, key, secret, ca, what, bucket = sys.argv[1:7]
client = boto3.client('s3', endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, region_name='us-east-1',
                      verify=None if ca == '-' else ca, config=Config(s3={'addressing_style': 'path'}))
if what == 'make':
    client.create_bucket(Bucket=bucket)
else:
    for o in client.list_objects_v2(Bucket=bucket).get('Contents', []):
        print(o['Key'], o['Size'])
